"""The pages: server-rendered, readable without JavaScript, made of the same use-cases as the API."""
