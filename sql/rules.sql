CREATE VIEW advisor.rules AS
SELECT code, name, level, effect, title, explanation, remediation FROM advisor._rules();
GRANT SELECT ON advisor.rules TO PUBLIC;
