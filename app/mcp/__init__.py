"""The documents for programs that speak the Model Context Protocol; the SDK is optional."""
