"""What a campaign does to the system."""
