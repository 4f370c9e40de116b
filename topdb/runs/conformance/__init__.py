"""What the contract asks of a method, one thing a function; each raises a UserError if not so."""
