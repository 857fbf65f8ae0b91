"""What SAK says, in every dialect, read into the store's own words."""
