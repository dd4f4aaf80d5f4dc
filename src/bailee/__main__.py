"""`python -m bailee` is `bailee`."""

from bailee.cli import main

if __name__ == "__main__":
    main()
