"""What one account's payments rest on: its transactions, who agreed to them, and a file that proves both."""
