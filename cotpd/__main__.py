"""`python -m cotpd`: the command `cotpd`, also where its script is not on the path."""

from cotpd.cli.main import main

if __name__ == "__main__":
    main()
