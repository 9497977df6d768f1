-- The language of a message, for reports: by the commonest words of texts in Latin script, others by their script.

CREATE TABLE common_words (language text, words text[]);
INSERT INTO common_words VALUES ('English', '{the,and,you,your,for,this,with,have,that,from,are,will}'), ('German', '{der,die,und,sie,ihr,ihre,ist,nicht,mit,für,wir,ein,eine,auf,den}'),
	('French', '{le,la,les,vous,votre,et,des,pour,est,une,dans,nous,sur,pas,du}'), ('Spanish', '{el,los,para,su,por,una,con,del,las,usted,como,más,tu,es,que}'),
	('Portuguese', '{você,não,para,seu,sua,uma,com,do,da,em,os,por,mais,que,são,ao}'), ('Italian', '{il,di,per,che,una,della,del,con,sono,tuo,suo,gli,nel,non,alla}'),
	('Dutch', '{de,het,een,van,uw,je,voor,niet,dat,wij,op,zijn,met,naar,ook}'), ('Polish', '{w,na,nie,się,do,że,jest,dla,twoje,oraz,przez}'),
	('Turkish', '{ve,bir,için,bu,ile,sizin,lütfen,hesabınız}'), ('Swedish', '{och,att,är,för,inte,ditt,din,det,som}'), ('Czech', '{se,na,je,že,pro,jako,vaše,byl}');

CREATE FUNCTION language_of(subject text, body text, scripts text[]) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT coalesce(CASE WHEN scripts[1] IN ('Hiragana', 'Katakana') OR scripts[1:3] && '{Hiragana}' THEN 'Japanese' WHEN scripts[1] <> 'Latin' THEN scripts[1] END,
		(SELECT c.language FROM common_words c, LATERAL (SELECT count(*) AS n FROM regexp_split_to_table(lower(left(concat(subject, ' ', body), 3000)), '[^[:alpha:]]+') w WHERE w = ANY (c.words)) n
		 WHERE n.n >= 3 ORDER BY n.n DESC LIMIT 1), 'unclear')
	$$;
