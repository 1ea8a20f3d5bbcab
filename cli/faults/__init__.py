"""Faults on purpose: a proxy that spoils connections, and a catalogue of what can be done."""
