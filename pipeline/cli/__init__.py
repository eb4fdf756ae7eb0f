"""The terminal: small languages of options, words for mistakes, bars of progress."""
