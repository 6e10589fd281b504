"""What there is: tables and pictures of memory, each verified by a recount."""
