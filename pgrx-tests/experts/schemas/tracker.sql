CREATE TABLE organizations (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL);
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL UNIQUE);
CREATE TABLE memberships (organization_id uuid NOT NULL REFERENCES organizations, user_id uuid NOT NULL REFERENCES users, PRIMARY KEY (organization_id, user_id));
CREATE TABLE workspaces (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id uuid NOT NULL REFERENCES organizations, name text);
CREATE TABLE projects (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), workspace_id uuid NOT NULL REFERENCES workspaces, key text, UNIQUE (workspace_id, key));
CREATE TABLE issues (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), project_id uuid NOT NULL REFERENCES projects, author_id uuid NOT NULL REFERENCES users, title text);
CREATE TABLE comments (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), issue_id uuid NOT NULL REFERENCES issues, author_id uuid NOT NULL REFERENCES users, body text);
CREATE TABLE labels (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), project_id uuid NOT NULL REFERENCES projects, name text NOT NULL);
CREATE TABLE issue_labels (issue_id uuid NOT NULL REFERENCES issues, label_id uuid NOT NULL REFERENCES labels, PRIMARY KEY (issue_id, label_id));
