"""Parts of bench/compare.py: inference engines behind one interface, a process for each, and reports."""
