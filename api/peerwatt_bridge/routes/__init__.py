"""The HTTP routes, thin: each reads a request, asks a service, and shapes the answer."""
