"""What programs tell of themselves: traces, logs, and metrics where nothing else serves HTTP."""
