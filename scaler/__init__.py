"""The program that decides how many workers there are, and makes it so."""
