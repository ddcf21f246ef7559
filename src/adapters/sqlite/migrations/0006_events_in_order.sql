-- Old events leave from the beginning of the log: no index by time is needed, and each change wrote one.
DROP INDEX events_by_created_at;
