"""What is recorded: spans and log records of our own, in the shape in which delivery reads them."""
