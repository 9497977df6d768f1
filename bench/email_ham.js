// Legitimate HTML mail with made-up data, for bench/email.sh: the templates of
// the npm package mailgen in its themes, filled with what services write, in
// several languages, from senders that are authenticated.
//
//   npm install mailgen && node bench/email_ham.js DIR
//
// writes DIR/*.eml. Nothing in it is of a real sender.
const fs = require('fs'), path = require('path');
const Mailgen = require(path.join(process.cwd(), 'node_modules', 'mailgen'));
const out = process.argv[2];
fs.mkdirSync(out, { recursive: true });

const firms = ['Nordlicht Bikes|nordlicht-bikes.de', 'Acme Tools|acmetools.com', 'Papelaria Aurora|papelariaaurora.com.br', 'Maison Verte|maisonverte.fr',
	'Libreria Sole|libreriasole.it', 'Tienda Luna|tiendaluna.es', 'Kwiatowa|kwiatowa.pl', 'Hosted Notes|hostednotes.io', 'City Library|citylibrary.org', 'Blue Harbor Bank|blueharborbank.com',
	'TrainLine North|trainlinenorth.co.uk', 'De Groene Winkel|groenewinkel.nl'];
// kind, subject, lines of text, button, text behind the button, bulk
const texts = [
	['reset', 'Reset your password', ['You have received this email because a password reset request for your account was received.'], 'Reset your password', 'If you did not request a password reset, no further action is required on your part.'],
	['welcome', 'Welcome aboard', ['Welcome! We are very excited to have you on board.', 'To get started, please confirm your account.'], 'Confirm your account', 'Need help, or have questions? Just reply to this email, we would love to help.'],
	['verify', 'Please verify your email address', ['Thanks for signing up. Please verify your email address to finish.'], 'Verify email', 'The link expires in 24 hours.'],
	['receipt', 'Your order has been processed', ['Your order has been processed successfully.', 'Order number 104-2231 will be charged to your card.'], 'Go to your dashboard', 'We thank you for your purchase.'],
	['invoice', 'Your invoice for May is ready', ['Your invoice 2024-0512 is ready. The amount due is 24.90 EUR.'], 'View invoice', 'Payment is due within 14 days.'],
	['shipped', 'Your order is on its way', ['Good news: your package has been shipped and should arrive on Thursday.'], 'Track your package', 'Delivery is free of charge.'],
	['login', 'New sign-in to your account', ['We noticed a new sign-in to your account from Firefox on Linux.', 'If this was you, there is nothing to do.'], 'Check activity', 'If this was not you, change your password.'],
	['renewal', 'Your subscription will be renewed', ['Your yearly subscription will be renewed on 12 June.', 'You will be charged 59.00 EUR.'], 'Manage subscription', 'You can cancel at any time.'],
	['failed', 'We could not process your payment', ['Your payment was declined. Please update your payment method to keep your plan.'], 'Update payment method', 'We will try again in three days.'],
	['news', 'Our news in June', ['New arrivals, and 20 % off everything for the garden.', 'Shop now, while supplies last. Free shipping over 50 EUR.'], 'Shop now', 'You receive this because you subscribed to our newsletter.', true],
	['loyalty', 'You have 120 points', ['You have collected 120 points this year. They expire in December.'], 'Redeem your points', 'See the terms of our loyalty program.', true],
	['shared', 'Anna shared a document with you', ['Anna Berg shared a document with you: Minutes of the meeting.'], 'Open document', 'You can reply to Anna in the comments.'],
	['survey', 'How did we do?', ['Please take our short survey about your last visit. It takes two minutes.'], 'Start the survey', 'Thank you for your time.', true],
	['de', 'Passwort zurücksetzen', ['Sie haben angefordert, Ihr Passwort zurückzusetzen.'], 'Passwort zurücksetzen', 'Wenn Sie das nicht waren, ist nichts zu tun.'],
	['de2', 'Ihre Rechnung', ['Ihre Rechnung über 24,90 EUR liegt bereit.', 'Der Betrag wird in den nächsten Tagen abgebucht.'], 'Rechnung ansehen', 'Vielen Dank für Ihre Bestellung.'],
	['de3', 'Unsere Angebote im Juni', ['Jetzt 20 % Rabatt auf alles für den Garten.', 'Nur für kurze Zeit, solange der Vorrat reicht.'], 'Jetzt einkaufen', 'Newsletter abbestellen: ein Klick genügt.', true],
	['fr', 'Confirmez votre adresse', ['Merci de votre inscription. Veuillez confirmer votre adresse.'], 'Confirmer', 'Ce lien expire dans 24 heures.'],
	['fr2', 'Votre commande a été expédiée', ['Votre colis arrivera jeudi. Merci pour votre commande.'], 'Suivre votre colis', 'Livraison gratuite.'],
	['es', 'Tu pedido está en camino', ['Tu paquete llegará el jueves. Gracias por tu compra.'], 'Ver el pedido', 'Escríbenos si tienes preguntas.'],
	['pt', 'Sua fatura de maio', ['Sua fatura está disponível. Vencimento: 10/06.'], 'Ver fatura', 'Você pode pagar por PIX ou boleto.'],
	['it', 'La tua fattura', ['La tua fattura è disponibile nella tua area clienti.'], 'Apri la fattura', 'Grazie per il tuo ordine.'],
	['nl', 'Je pakket komt eraan', ['Je pakket wordt donderdag bezorgd.'], 'Volg je pakket', 'Bedankt voor je bestelling.'],
	['pl', 'Twoje zamówienie zostało wysłane', ['Paczka dotrze w czwartek.'], 'Śledź przesyłkę', 'Dziękujemy za zakupy.'],
];
let n = 0;
for (const theme of ['default', 'neopolitan', 'salted', 'cerberus'])
	for (const firm of firms)
		for (const [kind, subject, intro, button, outro, bulk] of texts) {
			const [name, domain] = firm.split('|');
			// a third each: proven by DKIM and SPF, by DKIM alone through a service, by SPF alone
			// and where a service sends, its links count clicks at the service
			const way = n % 3, service = 'mailer' + (n % 7) + '-example.net';
			const mailgen = new Mailgen({ theme, product: { name, link: `https://www.${domain}/` } });
			const html = mailgen.generate({ body: { name: 'Chris', intro, outro, action: { instructions: intro[0], button: { color: '#22BC66', text: button,
				link: `https://${way == 1 ? 'click.' + service : (bulk ? 'news' : 'www') + '.' + domain}/a/${n.toString(36)}?t=${(n * 7919).toString(36)}` } } } });
			const path_ = way == 1 ? service : domain;
			const auth = `spf=pass smtp.mailfrom=bounce@${path_}; dkim=${way == 2 ? 'none' : 'pass header.d=' + domain}; dmarc=pass header.from=${domain}`;
			const head = [`Return-Path: <bounce@${path_}>`,
				`Received: from out.${path_} (out.${path_} [198.51.100.${n % 250 + 1}]) by mx.example.org with ESMTPS; Mon, 3 Jun 2024 10:${String(n % 60).padStart(2, '0')}:00 +0000`,
				`Authentication-Results: mx.example.org; ${auth}`, `From: ${name} <${bulk ? 'news' : 'service'}@${domain}>`, 'To: chris@example.org',
				`Subject: =?utf-8?B?${Buffer.from(subject).toString('base64')}?=`, `Date: Mon, 3 Jun 2024 10:${String(n % 60).padStart(2, '0')}:00 +0000`,
				`Message-ID: <${n}.${kind}@${domain}>`, 'MIME-Version: 1.0', 'Content-Type: text/html; charset=utf-8', 'Content-Transfer-Encoding: base64'];
			if (bulk) head.push(`List-Unsubscribe: <https://news.${domain}/u/${n}>`, 'List-Unsubscribe-Post: List-Unsubscribe=One-Click');
			fs.writeFileSync(path.join(out, `${kind}-${n}.eml`), head.join('\r\n') + '\r\n\r\n' + Buffer.from(html).toString('base64').replace(/.{76}/g, '$&\r\n') + '\r\n');
			n++;
		}
console.log(n + ' messages');
