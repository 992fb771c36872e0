"""How the agents of a cluster agree: the control topic's records, and the pure fold that makes state of them."""
