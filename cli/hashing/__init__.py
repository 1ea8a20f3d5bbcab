"""`millrace hash`: digests of files and pipes, and checks of lists of them."""
