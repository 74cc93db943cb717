"""Brokers behind one port: RabbitMQ by pika, and an embedded one on SQLite."""
