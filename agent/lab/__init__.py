"""A real Apache Kafka cluster on this machine, its faults and its load: where Ottla is tried out."""
