"""`python -m steps`: check params.yaml before the first step runs; DVC's own words on a bad one say less."""

from steps.common import main

if __name__ == "__main__":
    main(lambda params: None)
