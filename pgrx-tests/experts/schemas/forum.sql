CREATE TABLE users (id serial PRIMARY KEY, username text NOT NULL UNIQUE);
CREATE TABLE categories (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE topics (id serial PRIMARY KEY, category_id int NOT NULL REFERENCES categories, user_id int NOT NULL REFERENCES users, title text NOT NULL);
CREATE TABLE posts (id serial PRIMARY KEY, topic_id int NOT NULL REFERENCES topics, user_id int NOT NULL REFERENCES users, body text NOT NULL);
CREATE TABLE likes (post_id int NOT NULL REFERENCES posts, user_id int NOT NULL REFERENCES users, PRIMARY KEY (post_id, user_id));
CREATE TABLE notifications (id bigserial PRIMARY KEY, user_id int NOT NULL REFERENCES users, post_id int REFERENCES posts, read boolean NOT NULL DEFAULT false);
