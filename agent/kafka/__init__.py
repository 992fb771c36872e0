"""Kafka's admin and record protocols: kio's message types over aiokafka's authenticated connections."""
