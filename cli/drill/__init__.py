"""`millrace drill`: load with known answers, faults, and an account of everything acknowledged."""
