"""The HTTP API: routers that check, call one use-case and answer."""
