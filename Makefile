.PHONY: services
# What tests start themselves; needs root to install.
services:
	./.ci/services
