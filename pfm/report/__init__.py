"""Reports on memory: tables and a chart, each verified by a recount."""
