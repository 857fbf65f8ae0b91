"""What the operator sets, as every process reads it: variables, `.env`, secrets and addresses to listen on."""
