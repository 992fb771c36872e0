"""How the agents agree: the control topic's records and the pure fold that makes state of them."""
