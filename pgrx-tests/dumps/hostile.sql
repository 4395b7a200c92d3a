-- Written by somebody who wants to run programs on the machine that loads it.
CREATE TABLE t (id int PRIMARY KEY);
\! touch /tmp/citus_advisor_was_here
\unrestrict guessed
\! touch /tmp/citus_advisor_was_here
\copy t from program 'touch /tmp/citus_advisor_was_here'
\o |touch /tmp/citus_advisor_was_here
\setenv PAGER 'touch /tmp/citus_advisor_was_here'
\i /etc/passwd
SELECT 'touch /tmp/citus_advisor_was_here' \g |sh
;
SELECT `touch /tmp/citus_advisor_was_here`;
COPY t FROM PROGRAM 'touch /tmp/citus_advisor_was_here';
COPY (SELECT 1) TO PROGRAM 'touch /tmp/citus_advisor_was_here';
/* a comment /* in a comment */ ; COPY t FROM PROGRAM 'touch /tmp/citus_advisor_was_here'; */
copy /* FROM stdin */ t FROM PROGRAM 'touch /tmp/citus_advisor_was_here';
ALTER SYSTEM SET archive_command = 'touch /tmp/citus_advisor_was_here';
COPY missing FROM stdin;
\! touch /tmp/citus_advisor_was_here
\.
CREATE TABLE "stdin" (id int REFERENCES t);
CREATE TABLE u (id int, s text DEFAULT E'\';\\', v text DEFAULT 'a\');
CREATE EVENT TRIGGER nosy ON ddl_command_end EXECUTE FUNCTION no_such_function();
INSERT INTO u SELECT 1 FROM t WHERE $1 IS NULL;
SET ROLE nobody_here;
CREATE ROLE admin SUPERUSER LOGIN PASSWORD 'x';
ALTER TABLE t OWNER TO admin;
CREATE TABLE cut_off (id int, note text DEFAULT 'never ends
