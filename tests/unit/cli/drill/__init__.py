"""The drill, without anything to drill."""
