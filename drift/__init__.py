"""What the product is about: scanning Azure and reporting drift. Imports tenancy; never api, web or dev."""
