"""MySQL and MariaDB: PyMySQL and aiomysql."""
