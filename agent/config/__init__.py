"""The agent's configuration file: read with the loader and the messages of the rules."""

from agent.config.load import BadConfig, load
from agent.config.settings import BrokerSettings, Config, ControlSettings, JolokiaSettings

__all__ = ["BadConfig", "BrokerSettings", "Config", "ControlSettings", "JolokiaSettings", "load"]
