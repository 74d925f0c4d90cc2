-- One database for each of the three that keep their state in PostgreSQL. Each makes its own tables.
CREATE DATABASE ledger;
CREATE DATABASE mlflow;
CREATE DATABASE prefect;
