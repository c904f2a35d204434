"""What happens to telemetry inside the process, before it is handed to delivery."""
