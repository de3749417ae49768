"""The dashboards, as code: `./just generate` writes them to infra/grafana/dashboards."""
