"""What ran: one row a run, written by the recorder alone, read by REST and pages."""
