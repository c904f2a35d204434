// Keeps lists fresh and opens spans in place.  The page works without it.
"use strict";

const INTERVAL = 2000;

function keepFresh(target) {
  const toggle = document.querySelector("[data-live-toggle]");
  const status = document.getElementById("status");
  let tag = "";
  let timer = 0;

  async function refresh() {
    if (!document.hidden && toggle.getAttribute("aria-pressed") === "true") {
      try {
        const answer = await fetch(target.dataset.live, { headers: tag ? { "If-None-Match": tag } : {} });
        if (answer.ok) {
          tag = answer.headers.get("ETag") || "";
          replace(target, await answer.text());
        }
        report(answer.ok || answer.status === 304);
      } catch {
        report(false);
      }
    }
    timer = setTimeout(refresh, INTERVAL);
  }

  function report(connected) {
    toggle.classList.toggle("lost", !connected);
    const text = connected ? "" : "Connection to the local backend lost";
    if (status.textContent !== text) status.textContent = text;
  }

  toggle.addEventListener("click", () => {
    const on = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(on));
    if (on) { clearTimeout(timer); refresh(); }
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { clearTimeout(timer); refresh(); }
  });
  timer = setTimeout(refresh, INTERVAL);
}

// A reader must not lose what they hold: the focus, a selection, an opened stack trace.
function replace(target, html) {
  const selection = document.getSelection();
  if (selection && !selection.isCollapsed && target.contains(selection.anchorNode)) return;
  if (target.querySelector("details[open]")) return;
  const focused = target.contains(document.activeElement) ? document.activeElement.id : "";
  target.innerHTML = html;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function openSpans(panel) {
  const split = document.getElementById("split");
  const path = location.pathname;
  let wanted = "";

  function mark(span) {
    for (const row of document.querySelectorAll("tr.selected")) {
      row.classList.remove("selected");
      row.querySelector("a[aria-current]")?.removeAttribute("aria-current");
    }
    const link = span && document.getElementById(`s-${span}`);
    if (link) { link.setAttribute("aria-current", "true"); link.closest("tr").classList.add("selected"); }
  }

  async function show(span) {
    wanted = span;
    mark(span);
    if (!span) { panel.hidden = true; split.classList.remove("open"); return; }
    const answer = await fetch(`${path}/span/${encodeURIComponent(span)}`);
    if (wanted !== span) return;
    if (!answer.ok) { location.reload(); return; }
    panel.innerHTML = await answer.text();
    panel.hidden = false;
    panel.scrollTop = 0;
    split.classList.add("open");
  }

  function go(span, from) {
    history.pushState(null, "", span ? `?span=${span}` : path);
    show(span).then(() => { if (span) panel.focus({ preventScroll: true }); else from?.focus(); });
  }

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest("a[data-span]");
    const close = event.target.closest("a[data-close]");
    if (link) { event.preventDefault(); go(link.dataset.span); }
    if (close) { event.preventDefault(); leave(); }
  });
  function leave() {
    const current = document.querySelector("#waterfall a[aria-current]");
    go("", current);
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) { leave(); return; }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !document.activeElement?.matches("#waterfall a[data-span]")) return;
    const links = [...document.querySelectorAll("#waterfall a[data-span]")];
    const next = links[links.indexOf(document.activeElement) + step];
    if (next) { event.preventDefault(); next.focus(); }
  });
  addEventListener("popstate", () => show(new URLSearchParams(location.search).get("span") || ""));
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1200);
  });
}
for (const form of document.querySelectorAll("form.filters")) {
  form.addEventListener("change", (event) => { if (event.target.type !== "search") form.requestSubmit(); });
}
const live = document.querySelector("[data-live]");
if (live) keepFresh(live);
const panel = document.getElementById("panel");
if (panel) openSpans(panel);
