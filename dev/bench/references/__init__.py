"""What somebody would run instead, each written the way its own guide would."""
