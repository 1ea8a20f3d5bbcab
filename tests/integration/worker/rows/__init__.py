"""Jobs that hash rows, on a real ledger."""
