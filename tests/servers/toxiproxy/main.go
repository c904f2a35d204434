// Toxiproxy for the tests: the upstream server, controlled over HTTP on the loopback port of its argument.
package main

import (
	"log"
	"os"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

func main() {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	if err := server.Listen("127.0.0.1:" + os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
