"""Functions for the configuration files of servers that call them."""
