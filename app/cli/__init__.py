"""The commands of `python -m app`, one module each. They open what they need in their own process."""
