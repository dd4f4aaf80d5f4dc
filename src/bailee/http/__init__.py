"""What HTTP/1.1 messages mean and which parts of them may pass. No I/O."""
