"""`python -m monitor` is `gateway`."""

from monitor.cli import main

if __name__ == "__main__":
    main()
