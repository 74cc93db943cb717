"""Channel Adapters: generic ones, the platforms, and simulators of their interfaces."""
