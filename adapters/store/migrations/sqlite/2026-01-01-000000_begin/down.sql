-- There is no way back from the first schema but to remove the database.
SELECT 1;
