"""Who may come in, and what they may do: users, sessions, keys, and one table of what each route needs."""
